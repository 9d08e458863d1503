/** Lines as GELF 1.1 over TCP: JSON that a zero byte ends (go2docs.graylog.org, "GELF via TCP"). */
import { type Frame, SEVERITY } from '../domain/shipping.ts';

export const gelfFrame: Frame = (of, line) => {
  const message = {
    version: '1.1',
    host: of.id,
    // It may not be empty.
    short_message: line.text === '' ? ' ' : line.text,
    timestamp: Date.parse(line.at) / 1000,
    level: SEVERITY[line.stream],
    _preview: of.id,
    _repository: of.repository,
    _branch: of.branch,
    _commit: of.commit,
    _service: of.service,
    _container: of.container.slice(0, 12),
    _stream: line.stream,
  };
  // JSON has no raw zero byte.
  return Buffer.from(`${JSON.stringify(message)}\0`);
};
