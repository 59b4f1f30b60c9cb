import { type ReactNode, useEffect, useRef } from 'react';

/** A modal window: the browser keeps the focus inside, and Escape closes it. */
export const Dialog = (props: { title: string; onClose: () => void; children: ReactNode }): ReactNode => {
  const ref = useRef<HTMLDialogElement>(null);
  const pressed = useRef<EventTarget>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it too, as the browser has it.
    <dialog
      ref={ref}
      aria-label={props.title}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onPointerDown={(event) => {
        pressed.current = event.target;
      }}
      onClick={(event) => {
        // Text that is selected out of the window ends in a click on what is around it.
        if (event.target === ref.current && pressed.current === ref.current) props.onClose();
      }}
    >
      <div className="dialog-body">
        <button type="button" className="quiet dialog-close" aria-label="Close" onClick={props.onClose}>
          ✕
        </button>
        {props.children}
      </div>
    </dialog>
  );
};
