import { type FormEvent, useRef, useState } from 'react';
import { messageOf } from './request.ts';
import { useTeller } from './toasts.tsx';

export interface Submit {
  /** For the `aria-disabled` of the button: what is disabled in earnest loses the focus. */
  isSending: boolean;
  submit: (event: FormEvent<HTMLFormElement>) => void;
}

/** A form that is on its way once at a time, empty again when it has arrived; why it has not is shown. */
export const useSubmit = (send: (form: FormData) => Promise<unknown>): Submit => {
  const [isSending, setIsSending] = useState(false);
  const isBusy = useRef(false);
  const { warn } = useTeller();
  const deliver = async (form: HTMLFormElement) => {
    isBusy.current = true;
    setIsSending(true);
    try {
      await send(new FormData(form));
      form.reset();
    } catch (error) {
      warn(messageOf(error));
    } finally {
      isBusy.current = false;
      setIsSending(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!isBusy.current) void deliver(event.currentTarget);
  };
  return { isSending, submit };
};
