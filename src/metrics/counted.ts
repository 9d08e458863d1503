/** The same ports, with what is counted of them. */
import type { Engine, Gateway } from '../domain/ports.ts';
import { TreehouseError } from '../errors.ts';
import type { Meter } from './meter.ts';

export function countedGateway(gateway: Gateway, meter: Pick<Meter, 'routesChanged'>): Gateway {
  return watched(gateway, (name, result) => {
    if (name !== 'setRoutes') return;
    result.then(
      (isChanged) => {
        if (isChanged === true) meter.routesChanged();
      },
      () => undefined,
    );
  });
}

/** Counts what it could not do, by code. */
export function countedEngine(engine: Engine, meter: Pick<Meter, 'engineFailed'>): Engine {
  return watched(engine, (_name, result) => {
    result.catch((error: unknown) => {
      if (error instanceof TreehouseError) meter.engineFailed(error.code);
    });
  });
}

/** The same object, whatever it is made of; `seen` is told of every promise that it gives. */
function watched<T extends object>(port: T, seen: (name: string | symbol, result: Promise<unknown>) => void): T {
  return new Proxy(port, {
    get(target, name) {
      const part: unknown = Reflect.get(target, name, target);
      if (typeof part !== 'function') return part;
      return (...given: unknown[]) => {
        const result: unknown = Reflect.apply(part, target, given);
        if (result instanceof Promise) seen(name, result);
        return result;
      };
    },
  });
}
