/** What the branches hold: tiny stacks that say on their page which commit they are. */
import type { Quality } from './model.ts';

export type Files = Readonly<Record<string, string>>;

export interface Stack {
  /** Containers that it runs. */
  readonly services: number;
  /** Whether its images are built, and so pushed. */
  readonly isBuilt: boolean;
  files(text: string, quality: Quality): Files;
}

const SERVE = 'exec httpd -f -p 8000 -h /tmp';

/** One image, built from a Dockerfile; a bad commit cannot be built. */
const built: Stack = {
  services: 1,
  isBuilt: true,
  files: (text, quality) => ({
    Dockerfile: [
      'FROM busybox',
      'COPY index.html /www/index.html',
      ...(quality === 'bad' ? ['RUN echo it breaks && false'] : []),
      'EXPOSE 8000',
      'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]',
      '',
    ].join('\n'),
    'index.html': text,
  }),
};

/** Nothing to build; a bad commit asks for what policy refuses. */
const ready: Stack = {
  services: 1,
  isBuilt: false,
  files: (text, quality) => ({
    'compose.yaml': JSON.stringify({
      services: {
        web: {
          image: 'busybox',
          command: ['sh', '-c', `echo '${text}' > /tmp/index.html; ${SERVE}`],
          expose: ['8000'],
          ...(quality === 'bad' ? { privileged: true } : {}),
        },
      },
    }),
  }),
};

/** Two services, one of which owns a volume; a bad commit does not start. */
const withData: Stack = {
  services: 2,
  isBuilt: false,
  files: (text, quality) => ({
    'compose.yaml': JSON.stringify({
      services: {
        web: {
          image: 'busybox',
          command: ['sh', '-c', quality === 'bad' ? 'exit 3' : `echo '${text}' > /tmp/index.html; ${SERVE}`],
          expose: ['8000'],
          depends_on: ['store'],
        },
        store: {
          image: 'busybox',
          command: ['sh', '-c', 'date >> /data/began; exec sleep 100000'],
          volumes: ['data:/data'],
        },
      },
      volumes: { data: {} },
    }),
  }),
};

/** Repository → its stack. */
export const STACKS: Readonly<Record<string, Stack>> = {
  'acme/shop': built,
  'acme/blog': ready,
  'acme/data': withData,
};
