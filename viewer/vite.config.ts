import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { fingerprint } from './scripts/sources.ts';

const HERE = import.meta.dirname;
const STATIC = join(HERE, '../distill3d/viewer/static');
const PARTS = ['three', '@sparkjsdev/spark', 'fflate'];

/** The page as it is served: one HTML file and one script without a hash in its name. */
function page(): Plugin {
  return {
    name: 'page',
    apply: 'build',
    closeBundle() {
      const html = readFileSync(join(HERE, 'index.html'), 'utf8');
      writeFileSync(join(STATIC, 'index.html'), html.replace(/<script.*<\/script>/, '<script defer src="app.js"></script>'));
      writeFileSync(join(STATIC, 'BUILD.json'), JSON.stringify({ sources_sha256: fingerprint(HERE) }) + '\n');
      writeFileSync(join(STATIC, 'LICENSES.txt'), PARTS.map(licence).join('\n\n'));
    },
  };
}

function licence(name: string): string {
  const folder = join(HERE, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return `${name} ${version}\n${'='.repeat(60)}\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`;
}

export default defineConfig({
  plugins: [page()],
  build: {
    target: 'es2022',
    outDir: STATIC,
    emptyOutDir: true,
    copyPublicDir: false,
    chunkSizeWarningLimit: 4000,
    lib: { entry: join(HERE, 'src/main.ts'), formats: ['iife'], name: 'distill3d', fileName: () => 'app.js' },
  },
});
