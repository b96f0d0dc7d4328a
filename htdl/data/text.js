// The live regions are read out when they change, so they change only when the words do.
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
