import { describe, expect, it } from 'vitest';
import { ballAround } from '../src/layers/bounds';
import { decode } from '../src/net/assets';
import { readFrameHeader } from '../src/net/protocol';
import { Replaced, Requests } from '../src/net/requests';
import { seriesOf } from '../src/ui/chart';
import { colourise, histogram } from '../src/ui/ramp';

describe('framing', () => {
  it('does not care for one stray point', () => {
    const points = Array.from({ length: 300 }, (_, i) => Math.sin(i));
    const { radius } = ballAround([...points, 1e6, 1e6, 1e6]);
    expect(radius).toBeLessThan(3);
  });
});

describe('numbers as colours', () => {
  it('counts every number once, NaN never', () => {
    const counts = histogram([0, 0.5, 1, 2, -1, NaN], 0, 1, 4);
    expect(counts).toEqual([2, 0, 1, 2]);
  });
  it('greys what is outside the brush', () => {
    const colours = colourise([0.1, 0.9], 0, 1, [0.5, 1]);
    expect(colours[0]).toBe(colours[1]);
    expect(colours[3]).not.toBe(colours[5]);
  });
});

describe('requests', () => {
  it('are answered by number, and the newest of a kind wins', async () => {
    const sent: { seq?: number }[] = [];
    const requests = new Requests((message) => Boolean(sent.push(message as { seq?: number })));
    const first = requests.property({ layer: 0, name: 'opacity' });
    const second = requests.property({ layer: 0, name: 'size' });
    await expect(first).rejects.toBeInstanceOf(Replaced);
    requests.array({ kind: 3, content: 1, layer: 0, seq: sent[1]!.seq!, count: 2, low: 0, high: 1 }, new Float32Array([1, 2]).buffer);
    expect([...(await second).scalars!]).toEqual([1, 2]);
  });
  it('fail in a sentence when nobody is there, and by a problem', async () => {
    await expect(new Requests(() => false).property({ layer: 0, name: 'x' })).rejects.toThrow('not there');
    const requests = new Requests(() => true);
    const asked = requests.query({ layer: 0, text: 'wing', primitive: null });
    expect(requests.problem({ type: 'problem', sentence: 'no features', seq: 1, layer: 0 })).toBe(true);
    await expect(asked).rejects.toThrow('no features');
  });
});

describe('bytes', () => {
  it('of a header stand where the layout says', () => {
    const view = new DataView(new ArrayBuffer(32));
    view.setUint32(4, 77, true);
    view.setUint16(8, 640, true);
    view.setUint8(25, 1);
    expect(readFrameHeader(view)).toMatchObject({ seq: 77, width: 640, last: 1 });
  });
  it('in base64 come back', () => {
    expect([...decode('AP8Q\n')]).toEqual([0, 255, 16]);
  });
});

describe('losses', () => {
  it('leave out what was not finite, and one part that is the whole', () => {
    const lines = [1, 2].map((step) => ({ step, seconds: step, loss: step === 1 ? null : 3, parts: step === 1 ? {} : { rgb: 3 } }));
    expect(seriesOf(lines as never).map(({ name }) => name)).toEqual(['loss']);
  });
});
