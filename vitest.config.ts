import { defineConfig } from 'vitest/config';

/** As the compiler has it. */
const oxc = { jsx: { development: false } } as const;

export default defineConfig({
  test: {
    // A run after the first reads what is unchanged as it was compiled.
    experimental: { fsModuleCache: true },
    projects: [
      // Pure, so one process may run many files: half the time.
      // The limits are for what hangs: how long it takes is no question of correctness.
      { oxc, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false, testTimeout: 60_000 } },
      {
        oxc,
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        oxc,
        test: {
          name: 'journey',
          include: ['test/journey/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
