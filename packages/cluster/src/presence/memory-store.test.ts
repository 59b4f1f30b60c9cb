import { describe } from 'vitest';
import { presenceContract } from '../../test/presence-contract.ts';
import { MemoryPresence } from './memory-store.ts';

describe('presence in memory', () => {
  const presence = new MemoryPresence();
  presenceContract(() => presence.open());
});
