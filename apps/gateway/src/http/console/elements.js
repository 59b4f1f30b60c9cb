/** @param {string} id */
export const byId = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`There is no #${id}`);
  return found;
};

/** A new element. What others sent goes in as text only, so that none of it becomes markup. */
export const element = (tag, className, content = '') => {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (Array.isArray(content)) made.append(...content);
  else made.textContent = content;
  return made;
};

/** Shows a complaint under its field, or takes it away. */
export const complain = (id, text, field) => {
  const place = byId(id);
  place.textContent = text ?? '';
  place.hidden = !text;
  if (field) field.setAttribute('aria-invalid', String(Boolean(text)));
};

/** The same room has the same colour everywhere on the page. */
export const paintRoom = (target, room) => {
  let hash = 0;
  for (const character of room) hash = (hash * 31 + character.charCodeAt(0)) % 360;
  target.style.setProperty('--hue', String(hash));
};
