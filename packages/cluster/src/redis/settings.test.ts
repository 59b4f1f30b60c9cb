import { expect, it } from 'vitest';
import { versionWarning } from './settings.ts';

it.each([
  ['6.0.16', 'Redis is version 6.0.16, and much fails on it. Take 7 or newer, or Valkey'],
  ['7.0.15', undefined],
  ['10.0.0', undefined],
])('the version of Redis, %s', (version, warning) => {
  expect(versionWarning(`# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`)).toBe(warning);
});

it('a service that hides its version is taken for good', () => {
  expect(versionWarning('# Server\r\nredis_mode:standalone\r\n')).toBeUndefined();
});
