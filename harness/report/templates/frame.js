// The frame of every page: the section that is read is marked in the list of sections, and a table that does not fit is
// set closer, or on a narrow screen becomes cards, a row each, every value with the title of its column.
(() => {
  const links = new Map([...document.querySelectorAll('nav.sections a[href^="#"]')]
    .map((link) => [document.getElementById(decodeURIComponent(link.hash.slice(1))), link]).filter(([target]) => target));
  const mark = () => {
    let read = null;
    for (const target of links.keys()) if (target.getBoundingClientRect().top < innerHeight / 3) read = target;
    for (const [target, link] of links) {
      if (target !== read) link.removeAttribute('aria-current');
      else if (!link.hasAttribute('aria-current')) {
        link.setAttribute('aria-current', 'true');
        const list = link.parentElement;
        list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
      }
    }
  };
  let waits = false;
  const soon = () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; mark(); });
  };
  if (links.size) {
    addEventListener('scroll', soon, { passive: true });
    mark();
  }

  // Roles are told again, as some browsers forget them where a row is no longer laid out as one.
  const ROLES = { TABLE: 'table', THEAD: 'rowgroup', TBODY: 'rowgroup', TR: 'row', TD: 'cell' };
  const label = (table) => {
    const titles = [...table.tHead?.rows[0]?.cells ?? []].map((cell) => cell.textContent.trim());
    for (const row of table.tBodies[0]?.rows ?? []) {
      let column = 0;
      for (const cell of row.cells) {
        if (cell.colSpan === 1 && titles[column] && !cell.dataset.label) cell.dataset.label = titles[column];
        column += cell.colSpan;
      }
    }
    for (const part of [table, ...table.querySelectorAll('thead, tbody, tr, td')]) {
      if (!part.hasAttribute('role')) part.setAttribute('role', ROLES[part.tagName]);
    }
    for (const head of table.querySelectorAll('th')) {
      if (!head.hasAttribute('role')) head.setAttribute('role', head.closest('thead') ? 'columnheader' : 'rowheader');
    }
  };
  const narrow = matchMedia('(max-width: 40rem)');
  const lay = () => {
    for (const box of document.querySelectorAll('.scroll')) {
      const table = box.querySelector(':scope > table');
      if (!table || !table.tHead) continue;
      if (!narrow.matches) table.classList.remove('cards');
      if (!box.clientWidth || box.scrollWidth <= box.clientWidth + 1) continue;
      if (narrow.matches) label(table);
      table.classList.add(narrow.matches ? 'cards' : 'dense');
    }
  };
  lay();
  narrow.addEventListener('change', lay);
  document.addEventListener('toggle', lay, true);
  let asked = false;
  const filled = new MutationObserver(() => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; lay(); });
  });
  filled.observe(document.getElementById('content'), { childList: true, subtree: true });
})();
