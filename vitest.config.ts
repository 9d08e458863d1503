import { defineConfig } from 'vitest/config';

/**
 * Files at a time, after the unit tests, which take all processors. Each file has a home, ports and names of its own, and most of its time
 * it waits for an engine or a clock: `TEST_FILES=2 npm test` takes half as long. One is what CI can rely on.
 */
const together = { maxWorkers: Number(process.env.TEST_FILES ?? 1), sequence: { groupOrder: 1 } } as const;

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
          ...together,
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        oxc,
        test: {
          ...together,
          name: 'journey',
          include: ['test/journey/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
