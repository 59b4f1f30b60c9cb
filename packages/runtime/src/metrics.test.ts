import { expect, test } from 'vitest';
import { createRegistry, metricsText, registerReadiness } from './metrics.ts';

test('the metrics say what /readyz says when they are read, and tell a drain from trouble', async () => {
  const registry = createRegistry({ app: 'test' });
  let reasons: string[] = [];
  registerReadiness(registry, () => reasons);
  const read = async () => {
    const { text } = await metricsText(registry);
    return ['fanfare_ready', 'fanfare_draining'].map((name) =>
      Number(new RegExp(`^${name}\\{app="test"\\} (\\d)$`, 'm').exec(text)?.[1]),
    );
  };
  expect(await read()).toEqual([1, 0]);
  reasons = ['redis: publish and subscribe do not both work'];
  expect(await read()).toEqual([0, 0]);
  reasons = ['draining'];
  expect(await read()).toEqual([0, 1]);
});
