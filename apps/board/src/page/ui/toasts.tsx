import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react';

interface Toast {
  id: number;
  text: string;
  kind: 'news' | 'problem';
}

export interface Teller {
  /** Shows a line for some seconds, and has it read out. */
  tell: (text: string) => void;
  /** The same for what went wrong. */
  warn: (text: string) => void;
}

const Context = createContext<Teller>({ tell: () => undefined, warn: () => undefined });

export const useTeller = (): Teller => useContext(Context);

const SHOWN_MS = 6000;
let last = 0;

export const Toasts = ({ children }: { children: ReactNode }): ReactNode => {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const add = useCallback((kind: Toast['kind'], text: string) => {
    last += 1;
    const toast = { id: last, text, kind };
    setToasts((shown) => [...shown.slice(-3), toast]);
    setTimeout(() => setToasts((shown) => shown.filter(({ id }) => id !== toast.id)), SHOWN_MS);
  }, []);
  const teller = useMemo<Teller>(
    () => ({ tell: (text) => add('news', text), warn: (text) => add('problem', text) }),
    [add],
  );
  return (
    <Context.Provider value={teller}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, text, kind }) => (
          <p key={id} className={`toast ${kind}`}>
            {text}
          </p>
        ))}
      </div>
    </Context.Provider>
  );
};
