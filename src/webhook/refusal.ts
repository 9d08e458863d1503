/** Why a delivery is not taken: the status and the sentence that its sender is answered with. */
export class Refusal extends Error {
  /** `gone`: nobody is left to answer. */
  readonly status: number | 'gone';

  constructor(status: number | 'gone', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Refusal';
    this.status = status;
  }
}
