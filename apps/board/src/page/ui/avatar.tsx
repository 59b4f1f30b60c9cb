import type { ReactNode } from 'react';

/** A hue of its own for each name, the same on every page. */
const hueOf = (name: string): number => {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600;
  return (hash * 47) % 360;
};

/** Decorative: the name stands beside it or in the label of what holds it. */
export const Avatar = ({ name, isHere = false }: { name: string; isHere?: boolean }): ReactNode => (
  <span className={isHere ? 'avatar here' : 'avatar'} style={{ '--hue': hueOf(name) }} aria-hidden="true">
    {name.slice(0, 2)}
  </span>
);
