/** What BuildKit tells while it builds, as lines of text in the form of `buildx --progress plain`. */
import protobuf from 'protobufjs';
import { lineSplitter } from './run-process.ts';

/**
 * The fields that are read of moby.buildkit.v1.StatusResponse, by their numbers (moby/buildkit, api/services/control/control.proto).
 * Times are google.protobuf.Timestamp.
 */
const SCHEMA = {
  nested: {
    StatusResponse: {
      fields: {
        vertexes: { rule: 'repeated', type: 'Vertex', id: 1 },
        logs: { rule: 'repeated', type: 'VertexLog', id: 3 },
      },
    },
    Vertex: {
      fields: {
        digest: { type: 'string', id: 1 },
        name: { type: 'string', id: 3 },
        cached: { type: 'bool', id: 4 },
        started: { type: 'Timestamp', id: 5 },
        completed: { type: 'Timestamp', id: 6 },
        error: { type: 'string', id: 7 },
      },
    },
    VertexLog: {
      fields: { vertex: { type: 'string', id: 1 }, msg: { type: 'bytes', id: 4 } },
    },
    Timestamp: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
  },
} as const;

interface Timestamp {
  readonly seconds?: number;
  readonly nanos?: number;
}

interface Vertex {
  readonly digest: string;
  readonly name?: string;
  readonly cached?: boolean;
  readonly started?: Timestamp;
  readonly completed?: Timestamp;
  readonly error?: string;
}

interface Status {
  readonly vertexes?: readonly Vertex[];
  readonly logs?: readonly { readonly vertex: string; readonly msg: Buffer }[];
}

const response = protobuf.Root.fromJSON(SCHEMA).lookupType('StatusResponse');

interface Step {
  readonly number: number;
  done: boolean;
  readonly output: ReturnType<typeof lineSplitter>;
}

/** Takes the `aux` of messages whose id is `moby.buildkit.trace`, in base64, one after another. */
export function buildProgress(onLine: (line: string) => void): { take(trace: string): void; finish(): void } {
  const steps = new Map<string, Step>();

  function vertex(one: Vertex): void {
    if (!one.started) return;
    let step = steps.get(one.digest);
    if (!step) {
      const number = steps.size + 1;
      step = { number, done: false, output: lineSplitter((line) => onLine(`#${number} ${line}`)) };
      steps.set(one.digest, step);
      onLine(`#${step.number} ${one.name ?? ''}`);
    }
    if (step.done || !one.completed) return;
    step.done = true;
    step.output.finish();
    if (one.error) onLine(`#${step.number} ERROR: ${one.error}`);
    else onLine(`#${step.number} ${one.cached ? 'CACHED' : `DONE ${between(one.started, one.completed)}s`}`);
  }

  return {
    take(trace) {
      const status = response.toObject(response.decode(Buffer.from(trace, 'base64')), { longs: Number }) as Status;
      for (const one of status.vertexes ?? []) vertex(one);
      for (const log of status.logs ?? []) steps.get(log.vertex)?.output.take(log.msg);
    },
    finish() {
      for (const step of steps.values()) step.output.finish();
    },
  };
}

function between(from: Timestamp, to: Timestamp): string {
  const seconds = (at: Timestamp) => (at.seconds ?? 0) + (at.nanos ?? 0) / 1e9;
  return (seconds(to) - seconds(from)).toFixed(1);
}
