/**
 * Runs a function of the app. What it throws must not stop the other ones nor the client, so it becomes an uncaught error,
 * as with any listener.
 */
export const callApp = (call: () => void): void => {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
};
