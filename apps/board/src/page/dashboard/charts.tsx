import type { ReactNode } from 'react';

/** A bar for each column; the numbers stand beside the bars, so nothing is told by colour or length alone. */
export const TasksChart = ({
  rows,
}: {
  rows: readonly { id: string; title: string; count: number }[];
}): ReactNode => {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return (
    <dl className="bars">
      {rows.map(({ id, title, count }) => (
        <div key={id}>
          <dt>{title}</dt>
          <dd>
            <span className="bar" style={{ '--share': count / most }} />
            <span className="bar-count">{count}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
};

const WIDTH = 600;
const HEIGHT = 140;
const GAP = 4;

/** A bar for each minute, the current one last. */
export const MinutesChart = ({ counts }: { counts: readonly number[] }): ReactNode => {
  const most = Math.max(4, ...counts);
  const step = WIDTH / counts.length;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (
    <figure className="minutes">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${total} messages in the last ${counts.length} minutes, ${counts.at(-1) ?? 0} in this one`}
      >
        {counts.map((count, i) => {
          const height = (count / most) * (HEIGHT - 8);
          return (
            <rect
              // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place.
              key={i}
              className={i === counts.length - 1 ? 'minute now' : 'minute'}
              x={i * step + GAP / 2}
              y={HEIGHT - Math.max(height, 2)}
              width={step - GAP}
              height={Math.max(height, 2)}
              rx={3}
            />
          );
        })}
      </svg>
      <figcaption>
        <span>{counts.length} minutes ago</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
};
