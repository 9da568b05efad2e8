/** What both pages do with everything that they are asked for. */

export const element = (id) => document.getElementById(id);

/**
 * Makes what does one thing after the other, says what it is doing, and shows an error in one line; what was explained
 * before it fades, for it is not of what was asked. In between the page says what `describe` does.
 */
export function makePerform(describe) {
  let last = Promise.resolve();
  return function perform(doing, task) {
    last = last.then(async () => {
      element("error").hidden = true;
      element("status").textContent = doing;
      document.body.setAttribute("aria-busy", "true");
      try {
        await task();
        document.body.classList.remove("failed");
      } catch (error) {
        element("error").textContent = error.message.split("\n")[0];
        element("error").hidden = false;
        document.body.classList.add("failed");
      }
      document.body.removeAttribute("aria-busy");
      element("status").textContent = describe();
    });
    return last;
  };
}
