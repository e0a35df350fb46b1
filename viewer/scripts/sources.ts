/** The fingerprint of everything the bundle is made of; `tests/viewer/test_page_bundle.py` computes the same. */

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ROOTS = ['src', 'scripts', 'index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts'];

/** SHA-256 over lines "path, space, SHA-256 of the file", sorted by path, each ended by a newline. */
export function fingerprint(folder: string): string {
  const lines = files(folder).map((path) => `${path} ${sha256(readFileSync(join(folder, path)))}\n`);
  return sha256(lines.join(''));
}

function files(folder: string): string[] {
  const found = ROOTS.flatMap((root) =>
    root.includes('.')
      ? [root]
      : readdirSync(join(folder, root), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)),
  );
  return found.sort((a, b) => (a < b ? -1 : 1));
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
