/** What a promise fails with. */
import { expect } from 'vitest';
import { TreehouseError } from '../../src/errors.ts';

type Kind<E> = abstract new (...args: never[]) => E;

/** Fails itself where the promise does not, or with something else. */
export async function failureOf(promise: Promise<unknown>): Promise<TreehouseError>;
export async function failureOf<E>(promise: Promise<unknown>, kind: Kind<E>): Promise<E>;
export async function failureOf(promise: Promise<unknown>, kind: Kind<unknown> = TreehouseError): Promise<unknown> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error;
}
