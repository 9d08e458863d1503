/** Shows builds on a terminal as they go: a line for what ended, and below, where the terminal can, one moving line for what runs. */
import pc from 'picocolors';
import type { BuildEvent, Stage } from '../domain/events.ts';
import type { BuildId, PreviewId } from '../domain/names.ts';
import { plain } from '../domain/plain.ts';
import { waitText } from '../domain/waiting.ts';

export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Whether the moving line can be drawn. */
  readonly live: boolean;
  /** Columns of the terminal. */
  readonly columns: () => number;
  readonly now: () => number;
  /** The last lines of a build's log, for a build that failed. */
  readonly tail: (preview: PreviewId, build: BuildId) => Promise<readonly string[]>;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 120;
const CLEAR = '\r\u001b[2K';

export interface Progress {
  show(event: BuildEvent): Promise<void>;
  /** Prints text above the moving line. */
  say(text: string): void;
  stop(): void;
}

export function startProgress(options: ProgressOptions): Progress {
  const running = new Map<PreviewId, { readonly since: number; readonly stages: Set<Stage> }>();
  let frame = 0;
  let drawn = false;

  function say(text: string): void {
    options.write(`${drawn ? CLEAR : ''}${text}\n`);
    drawn = false;
    draw();
  }

  function draw(): void {
    if (!options.live) return;
    if (running.size === 0) {
      if (drawn) options.write(CLEAR);
      drawn = false;
      return;
    }
    const parts = [...running].map(([id, one]) => {
      const seconds = ((options.now() - one.since) / 1000).toFixed(1);
      return `${id} ${[...one.stages].join('+') || '…'} ${seconds} s`;
    });
    const line = `${FRAMES[frame % FRAMES.length] ?? ''} ${parts.join('  │  ')}`;
    options.write(`${CLEAR}${pc.cyan(line.slice(0, Math.max(10, options.columns() - 1)))}`);
    drawn = true;
  }

  const timer = options.live
    ? setInterval(() => {
        frame += 1;
        draw();
      }, FRAME_MS)
    : undefined;

  return {
    say,
    async show(event) {
      const name = pc.bold(event.preview);
      switch (event.type) {
        case 'build.started':
          running.set(event.preview, { since: event.at, stages: new Set() });
          say(`${pc.cyan('●')} ${name} ${event.commit.slice(0, 12)} ${pc.dim(event.cause)}`);
          break;
        case 'stage.started':
          running.get(event.preview)?.stages.add(event.stage);
          draw();
          break;
        case 'stage.finished': {
          running.get(event.preview)?.stages.delete(event.stage);
          const note = event.note === undefined ? '' : pc.dim(`  ${event.note}`);
          say(`  ${pc.green('✓')} ${name} ${event.stage.padEnd(8)} ${pc.dim(duration(event.ms).padStart(7))}${note}`);
          break;
        }
        case 'change':
          say(`  ${pc.yellow('~')} ${name} ${plain(`${event.path}: ${event.message}`)}`);
          break;
        case 'build.live':
          running.delete(event.preview);
          say(`${pc.green('✔')} ${name} is live after ${duration(event.ms)}: ${pc.underline(event.urls[0] ?? '')}`);
          for (const url of event.urls.slice(1)) say(`    ${pc.underline(url)}`);
          break;
        case 'build.failed': {
          running.delete(event.preview);
          const tail = await options.tail(event.preview, event.build).catch(() => []);
          for (const line of tail) say(pc.dim(`    │ ${plain(line)}`));
          say(`${pc.red('✘')} ${name} ${event.stage} failed after ${duration(event.ms)}: ${plain(event.message)}`);
          break;
        }
        case 'build.superseded':
          running.delete(event.preview);
          say(`${pc.yellow('↷')} ${name} build ended after ${duration(event.ms)}: ${event.message}`);
          break;
        case 'preview.removed':
          running.delete(event.preview);
          say(`${pc.dim('○')} ${name} is gone: ${event.cause} ${pc.dim(duration(event.ms))}`);
          break;
        case 'preview.observed':
          say(`${pc.green('✔')} ${name} ${event.state}: ${pc.underline(event.urls[0] ?? '')}`);
          break;
        case 'preview.waiting':
          say(`${pc.yellow('…')} ${name} is ${plain(waitText(event))}`);
          break;
        case 'preview.expiring':
          if (event.expiresAt !== undefined) say(`${pc.yellow('!')} ${name} goes soon: nobody uses it`);
          break;
        case 'preview.removing':
        case 'log':
          break;
        default:
          event satisfies never;
      }
    },
    stop() {
      clearInterval(timer);
      if (drawn) options.write(CLEAR);
    },
  };
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
