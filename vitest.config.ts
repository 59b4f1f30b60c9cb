import { defineConfig } from 'vitest/config';

// The suffix of a test file says what the machine must provide: nothing, a redis-server, or the whole stack.
// Those that wait for real processes leave a core idle half of the time, so two files run at once whatever the machine has.
const project = (name: string, include: string[], exclude: string[], timeoutMs: number) => ({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', '**/dist/**', ...exclude],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    environment: 'node',
  },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', ['**/*.test.ts'], ['**/*.redis.test.ts', '**/*.e2e.test.ts'], 10_000),
      project('redis', ['**/*.redis.test.ts'], [], 30_000),
      project('e2e', ['**/*.e2e.test.ts'], [], 90_000),
    ],
  },
});
