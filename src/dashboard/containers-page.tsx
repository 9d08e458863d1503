/** What runs of a preview, and what it uses now. */
import type { ContainerView } from '../api/live.ts';
import { Fragment, h } from './markup.ts';
import { bytes } from './words.ts';

export function ContainersPage({
  id,
  containers,
}: {
  readonly id: string;
  readonly containers: readonly ContainerView[];
}): JSX.Element {
  const at = `/previews/${id}/containers`;
  return (
    <>
      <h1>Containers of {id}</h1>
      <div
        {...{ id: 'containers', 'hx-get': at, 'hx-select': '#containers', 'hx-swap': 'outerHTML ignoreTitle:true' }}
        hx-trigger="every 5s"
      >
        {containers.length === 0 ? (
          <p class="soft">Nothing of it is on the engine.</p>
        ) : (
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Service</th>
                <th scope="col">State</th>
                <th scope="col">Memory</th>
                <th scope="col">Processors</th>
                <th scope="col">Processes</th>
                <th scope="col">Restarts</th>
              </tr>
            </thead>
            <tbody>
              {containers.map((one) => (
                <tr>
                  <td data-label="Service" class="wide">
                    <b>{one.service}</b>
                    <small>{one.image}</small>
                  </td>
                  <td data-label="State">
                    {one.exitCode === null ? one.state : `${one.state}, exit ${one.exitCode}`}
                    {one.health === 'none' ? '' : `, ${one.health}`}
                  </td>
                  <td data-label="Memory">
                    {one.memory === null ? '–' : bytes(one.memory)}
                    {one.memoryLimit !== null && <small>{`of ${bytes(one.memoryLimit)}`}</small>}
                  </td>
                  <td data-label="Processors">{one.cpu === null ? '–' : one.cpu.toFixed(2)}</td>
                  <td data-label="Processes">{one.processes ?? '–'}</td>
                  <td data-label="Restarts">{one.restarts}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      <p>
        <a href={`/previews/${id}`}>The preview</a>
      </p>
    </>
  );
}
