// Prints `N passed, N failed` from the file that vitest's json reporter wrote.
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
const nothing = { numPassedTests: 0, numFailedTests: 1, testResults: [] }; // a run that left no result
const { numPassedTests, numFailedTests, testResults } = text ? JSON.parse(text) : nothing;

// A file that could not even be loaded has no test to count: it counts as one that failed.
const unloaded = testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
console.log(`${numPassedTests} passed, ${numFailedTests + unloaded.length} failed`);
