import type { MouseEvent, ReactNode } from 'react';
import { hrefOf, navigate } from './router.ts';

/** A link within the page, which a browser may still open in another tab. */
export const Link = (props: {
  to: string;
  className?: string;
  isCurrent?: boolean;
  children: ReactNode;
}): ReactNode => {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    navigate(props.to);
  };
  return (
    <a
      href={hrefOf(props.to)}
      className={props.className}
      aria-current={props.isCurrent ? 'page' : undefined}
      onClick={follow}
    >
      {props.children}
    </a>
  );
};
