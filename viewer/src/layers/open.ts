/** Files by suffix and by their first bytes: which drawing they make, or one sentence of why none. */

import type { Drawing } from './drawing';
import { GaussiansDrawing, type SplatFormat } from './gaussians';
import { MeshDrawing, type MeshFormat } from './mesh';

export const SUFFIXES = ['.ply', '.spz', '.splat', '.sog', '.glb', '.obj'] as const;

export interface Opened {
  drawing: Drawing;
  kind: string;
}

/** Fails with an Error whose message is a sentence for the user. */
export async function open(name: string, bytes: ArrayBuffer): Promise<Opened> {
  const suffix = name.slice(name.lastIndexOf('.')).toLowerCase();
  if (!(SUFFIXES as readonly string[]).includes(suffix)) {
    throw new Error(`${name} is not a scene: expected one of ${SUFFIXES.join(' ')}`);
  }
  if (bytes.byteLength === 0) throw new Error(`${name} is empty; save it again`);
  try {
    const kind = kindOf(suffix, bytes);
    const format = suffix.slice(1);
    if (kind === 'gaussians') return { kind, drawing: await GaussiansDrawing.open(bytes, format as SplatFormat) };
    return { kind, drawing: await MeshDrawing.open(bytes, format as MeshFormat) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} cannot be read: ${why}`);
  }
}

function kindOf(suffix: string, bytes: ArrayBuffer): 'gaussians' | 'mesh' | 'points' {
  if (suffix === '.glb') {
    if (!starts(bytes, 'glTF')) throw new Error('it does not begin like a .glb');
    return 'mesh';
  }
  if (suffix === '.obj') return 'mesh';
  if (suffix === '.ply') return plyKind(bytes);
  if (suffix === '.splat' && bytes.byteLength % 32 !== 0) throw new Error('its length is not a multiple of 32 bytes');
  if (suffix === '.sog' && !starts(bytes, 'PK')) throw new Error('it is not a zip file');
  return 'gaussians';
}

const LONGEST_HEADER = 65536;
const TYPE_BYTES: Record<string, number> = {
  char: 1, uchar: 1, int8: 1, uint8: 1, short: 2, ushort: 2, int16: 2, uint16: 2,
  int: 4, uint: 4, float: 4, int32: 4, uint32: 4, float32: 4, double: 8, float64: 8,
};

/** Reads a PLY's header and holds its promises against the length of the file. */
function plyKind(bytes: ArrayBuffer): 'gaussians' | 'mesh' | 'points' {
  if (!starts(bytes, 'ply')) throw new Error('it does not begin like a PLY');
  const head = new TextDecoder('latin1').decode(bytes.slice(0, LONGEST_HEADER));
  const end = head.indexOf('end_header\n');
  if (end < 0) throw new Error('its header has no end');
  const lines = head.slice(0, end).split('\n').map((line) => line.trim().split(/\s+/));
  let promised = end + 'end_header\n'.length;
  let rows = 0;
  for (const [word, type, third] of lines) {
    if (word === 'element') rows = Number(third);
    else if (word === 'property') promised += rows * (type === 'list' ? 1 : TYPE_BYTES[type ?? ''] ?? 0);
  }
  const binary = lines.some((line) => line[0] === 'format' && line[1]?.startsWith('binary'));
  if (!Number.isFinite(promised) || (binary && promised > bytes.byteLength)) {
    throw new Error(`its header promises ${promised} bytes and it has ${bytes.byteLength}, so it was cut off`);
  }
  const names = new Set(lines.filter((line) => line[0] === 'property').map((line) => line.at(-1)));
  if (names.has('f_dc_0') || names.has('packed_position')) return 'gaussians';
  return lines.some((line) => line[0] === 'element' && line[1] === 'face' && line[2] !== '0') ? 'mesh' : 'points';
}

function starts(bytes: ArrayBuffer, text: string): boolean {
  const head = new Uint8Array(bytes.slice(0, text.length));
  return head.length === text.length && [...head].every((value, i) => value === text.charCodeAt(i));
}
