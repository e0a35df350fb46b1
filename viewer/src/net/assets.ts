/** Bytes of scenes and photographs: from the server that sent the page, or from the page itself. */

export interface Assets {
  fetch(id: string, size: number, progress: (fraction: number) => void): Promise<ArrayBuffer>;
  /** An address for <img>. */
  photo(id: string): string;
}

/** The server shows another state of the scene by now. */
export class Gone extends Error {}

export const served: Assets = {
  async fetch(id, size, progress) {
    const answer = await fetch(`./asset/${encodeURIComponent(id)}`);
    if (!answer.ok || !answer.body) throw new Gone(`the server has no such scene any more (${answer.status}); load the page again`);
    const bytes = new Uint8Array(size);
    const reader = answer.body.getReader();
    let at = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) throw new Error('the server sent more than it promised');
      bytes.set(value, at);
      at += value.length;
      progress(at / size);
    }
    if (at !== size) throw new Error(`the server sent ${at} of ${size} bytes`);
    return bytes.buffer;
  },
  photo: (id) => `./photo/${encodeURIComponent(id)}`,
};

/** What `distill3d export page.html` wrote into the page. */
export const inlined: Assets = {
  async fetch(id) {
    const text = document.getElementById(`d3d-asset-${id}`)?.textContent;
    if (!text) throw new Error('this page does not hold the scene it speaks of; export it again');
    return decode(text).buffer;
  },
  photo(id) {
    const text = document.getElementById(`d3d-photo-${id}`)?.textContent ?? '';
    return `data:image/jpeg;base64,${text.trim()}`;
  },
};

export function decode(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
