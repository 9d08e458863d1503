/** What Treehouse runs on, and how busy it was in the last hour. */
import type { ForgeView, HostView } from '../api/host.ts';
import { age } from '../domain/duration.ts';
import { Fragment, h } from './markup.ts';
import { HOUR_MS, type Sample } from './samples.ts';
import { bytes, percent } from './words.ts';

export function HostPage({
  host,
  samples,
  now,
}: {
  readonly host: HostView;
  readonly samples: readonly Sample[];
  readonly now: number;
}): JSX.Element {
  const { engine, limits, paused } = host;
  const last = samples.at(-1);
  const limit = (one: number | null) => (one === null ? 'no limit' : String(one));
  const most = Math.max(1, ...samples.map((one) => Math.max(one.building, one.waiting)));
  const disks = [...new Set(samples.flatMap((one) => one.disks.map((disk) => disk.name)))];
  const plots = [
    { title: 'Processors', of: (one: Sample) => one.cpu, say: percent, most: 1 },
    { title: 'Memory', of: (one: Sample) => one.memory, say: percent, most: 1 },
    { title: 'Builds under way', of: (one: Sample) => one.building, say: String, most },
    { title: 'Builds that wait', of: (one: Sample) => one.waiting, say: String, most },
    ...disks.map((name) => ({
      ...{ title: `Disk of ${name}`, say: percent, most: 1 },
      of: (one: Sample) => one.disks.find((disk) => disk.name === name)?.used ?? 0,
    })),
  ];
  return (
    <>
      <h1>Host</h1>
      <div id="host" hx-get="/host" hx-select="#host" hx-swap="outerHTML" hx-trigger="every 10s">
        {paused !== null && <p class="said bad">{`No build begins for now: ${paused}`}</p>}
        <div class="plots">
          {plots.map((one) => (
            <Plot {...one} samples={samples} now={now} />
          ))}
        </div>
        {last === undefined && <p class="soft">The first sample is on its way.</p>}
        <section class="card" aria-labelledby="facts-title">
          <h2 id="facts-title">What it is</h2>
          <dl class="facts-list">
            {[
              ['Treehouse', host.version],
              ['Docker engine', `${engine.version}, API ${engine.api}`],
              ['Containers', `${engine.running} run, of ${engine.containers}`],
              ['Processors', String(host.cores)],
              ['Memory', bytes(host.memory)],
              ...host.disks.map((one) => [`Disk of ${one.name}`, `${bytes(one.free)} free of ${bytes(one.size)}`]),
              ['Previews at most', limit(limits.previews)],
              ['Running at most', limit(limits.running)],
              ['Builds side by side', limit(limits.builds)],
              ['Memory of previews', limits.memory === null ? 'no limit' : bytes(limits.memory)],
            ].map(([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </section>
        {host.forge && <Forge forge={host.forge} now={now} />}
      </div>
    </>
  );
}

/** When it last agreed with the forge, and why not since. */
function Forge({
  forge: { host, installations, deliveries },
  now,
}: {
  readonly forge: ForgeView;
  readonly now: number;
}): JSX.Element {
  const ago = (at: string | null) => (at === null ? 'never yet' : `${age(now - Date.parse(at))} ago`);
  const faults = [
    ...installations.flatMap((one) => one.faults.map(({ repositories, why }) => `${repositories.join(', ')}: ${why}`)),
    ...(deliveries && deliveries.fault !== null
      ? [`Lost deliveries could not be asked for again: ${deliveries.fault}`]
      : []),
  ];
  return (
    <section class="card" aria-labelledby="forge-title">
      <h2 id="forge-title">{`Agreement with ${host}`}</h2>
      <dl class="facts-list">
        {installations.map(({ owner, agreedAt }) => (
          <div>
            <dt>{owner === null ? 'Last agreed' : `Last agreed about ${owner}`}</dt>
            <dd>{ago(agreedAt)}</dd>
          </div>
        ))}
        {deliveries && (
          <div>
            <dt>Lost deliveries last looked for</dt>
            <dd>{ago(deliveries.doneAt)}</dd>
          </div>
        )}
      </dl>
      {faults.map((one) => (
        <p class="fault pre">{one}</p>
      ))}
    </section>
  );
}

const [WIDTH, HEIGHT] = [360, 64];

function Plot({
  title,
  of,
  say,
  most,
  samples,
  now,
}: {
  readonly title: string;
  of(sample: Sample): number;
  say(value: number): string;
  readonly most: number;
  readonly samples: readonly Sample[];
  readonly now: number;
}): JSX.Element {
  const values = samples.map(of);
  const last = values.at(-1) ?? 0;
  const highest = Math.max(0, ...values);
  const points = samples.map((one, index) => {
    const x = WIDTH - ((now - one.at) / HOUR_MS) * WIDTH;
    const y = HEIGHT - 2 - ((values[index] ?? 0) / most) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const [from] = (points[0] ?? '0,0').split(',');
  const [to] = (points.at(-1) ?? '0,0').split(',');
  return (
    <figure class="card plot">
      <figcaption>
        {title} <b>{say(last)}</b>
      </figcaption>
      <svg
        {...{ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' }}
        aria-label={`${title} over the last hour: now ${say(last)}, at most ${say(highest)}`}
      >
        <polygon class="area" points={`${from},${HEIGHT} ${points.join(' ')} ${to},${HEIGHT}`} />
        <polyline class="line" points={points.join(' ')} />
      </svg>
      <p class="soft">
        <span>an hour ago</span> <span>{`at most ${say(highest)}`}</span> <span>now</span>
      </p>
    </figure>
  );
}
