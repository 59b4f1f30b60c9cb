import { AppError } from '@fanfare/protocol';
import { Secret } from '@fanfare/runtime';
import { describe, expect, it } from 'vitest';
import { createKeyCheck } from './auth.ts';

const check = createKeyCheck([
  { name: 'billing', key: new Secret('k3y-of-billing-0001') },
  { name: 'webshop', key: new Secret('k3y-of-webshop-0002') },
]);

describe('the key check', () => {
  it.each([
    ['Bearer k3y-of-billing-0001', 'billing'],
    ['Bearer k3y-of-webshop-0002', 'webshop'],
    ['bearer  k3y-of-webshop-0002 ', 'webshop'],
  ])('knows whose key %j is', (header, name) => {
    expect(check(header)).toBe(name);
  });

  it.each([
    [undefined],
    [''],
    ['Bearer'],
    ['Bearer '],
    ['Bearer k3y-of-billing-000'],
    ['Bearer k3y-of-billing-00011'],
    ['Bearer K3Y-OF-BILLING-0001'],
    ['Bearer k3y-of-billing-0001 k3y-of-webshop-0002'],
    ['Basic k3y-of-billing-0001'],
    ['k3y-of-billing-0001'],
    ['Bearer billing:k3y-of-billing-0001'],
  ])('refuses %j', (header) => {
    expect(() => check(header)).toThrow(new AppError('api_key_invalid'));
  });
});
