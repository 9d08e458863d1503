/** Reads server-sent events. */

export interface Frame {
  readonly id: string | undefined;
  readonly type: string | undefined;
  readonly data: string;
}

/** Frames as they come, without comments; ends with the stream. */
export async function* framesOf(answer: Response): AsyncGenerator<Frame> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const frame = frameIn(text.slice(0, at));
      text = text.slice(at + 2);
      if (frame) yield frame;
    }
  }
}

function frameIn(text: string): Frame | undefined {
  const lines = text.split('\n');
  const of = (name: string) =>
    lines.filter((one) => one.startsWith(`${name}: `)).map((one) => one.slice(name.length + 2));
  const data = of('data');
  return data.length === 0 ? undefined : { id: of('id')[0], type: of('event')[0], data: data.join('\n') };
}
