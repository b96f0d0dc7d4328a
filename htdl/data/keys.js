// The keys of the whole page: what each does, by its name.

export function onKeys(acts) {
  const pressed = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === " " && event.target.closest("button, a")) return; // it presses that
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // the player's own controls would do it once more
    act();
  };
  addEventListener("keydown", pressed, { capture: true });
}
