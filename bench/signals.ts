/** The first signal ends a run in good order; later ones change nothing, since cleaning up is under way. */
export function abortOnSignals(say: (text: string) => void): AbortSignal {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!stopping.signal.aborted) say('stopping; what was started is taken down first');
      stopping.abort(new Error(`stopped by ${name}`));
    });
  }
  return stopping.signal;
}
