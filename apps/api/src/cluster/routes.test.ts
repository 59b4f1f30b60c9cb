import { describe, expect, it } from 'vitest';
import { clusterWarnings } from './routes.ts';

const node = (
  name: string,
  changes: Partial<{ worker: string; incarnation: string; version: string }> = {},
) => ({
  node: name,
  worker: '0',
  incarnation: `${name}-a`,
  version: '1.0.0',
  ...changes,
});

describe('the warnings about a cluster', () => {
  it('are none for different nodes of one version', () => {
    const nodes = [node('a'), node('a', { worker: '1', incarnation: 'a-b' }), node('b')];
    expect(clusterWarnings('redis', nodes)).toEqual([]);
  });

  it('say that nothing is logged without Redis', () => {
    expect(clusterWarnings('single', [node('a')])).toEqual([
      'no Redis: nothing is logged, publishes are ephemeral',
    ]);
  });

  it('say that no gateway is alive', () => {
    expect(clusterWarnings('redis', [])).toEqual(['no gateway is alive: nobody hears what is published']);
  });

  it('name a node id that two processes claim', () => {
    expect(clusterWarnings('redis', [node('a'), node('b'), node('a', { incarnation: 'a-b' })])).toEqual([
      '2 processes claim to be node "a" worker "0": give every node its own id',
    ]);
  });

  it('name the versions where there are several', () => {
    expect(clusterWarnings('redis', [node('a'), node('b', { version: '0.9.0' })])).toEqual([
      'nodes run different versions: 0.9.0, 1.0.0',
    ]);
  });
});
