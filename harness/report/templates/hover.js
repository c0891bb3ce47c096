// Pointing at marks, on every page: a tooltip for what has `data-tip`, a light on all that share a `data-key`, and a
// click on `data-open` that unfolds the details of that id. What has a tooltip is reached by the keyboard, too.
(() => {
  const tip = document.createElement('div');
  tip.id = 'tip';
  tip.setAttribute('role', 'tooltip');
  tip.hidden = true;
  document.body.append(tip);

  const light = (mark, on) => {
    const key = mark.closest('[data-key]')?.dataset.key;
    if (key === undefined) return;
    for (const each of document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) each.classList.toggle('lit', on);
  };

  const place = (x, y) => {
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 4);
    const below = y + 18 + box.height < innerHeight;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, below ? y + 18 : y - box.height - 10)}px`;
  };

  let shown = null;
  const hide = () => {
    if (shown) light(shown, false);
    shown = null;
    tip.hidden = true;
  };
  const show = (mark, x, y) => {
    if (mark !== shown) {
      hide();
      shown = mark;
      light(mark, true);
      tip.textContent = mark.closest('[data-tip]')?.dataset.tip ?? '';
    }
    tip.hidden = tip.textContent === '';
    if (!tip.hidden) place(x, y);
  };

  const of = (event) => event.target instanceof Element ? event.target.closest('[data-tip], [data-key]') : null;
  document.addEventListener('pointermove', (event) => {
    const mark = of(event);
    if (mark) show(mark, event.clientX, event.clientY);
    else hide();
  });
  document.addEventListener('pointerleave', hide);
  document.addEventListener('scroll', hide, { passive: true });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hide(); });
  document.addEventListener('focusout', hide);
  document.addEventListener('focusin', (event) => {
    const mark = of(event);
    if (!mark || !mark.matches(':focus-visible')) return;
    const box = mark.getBoundingClientRect();
    show(mark, box.right, box.top);
  });

  const unfold = (id) => {
    const target = document.getElementById(id);
    if (!target) return false;
    for (let at = target; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
    target.scrollIntoView({ block: 'start' });
    return true;
  };
  document.addEventListener('click', (event) => {
    const opener = event.target instanceof Element ? event.target.closest('[data-open]') : null;
    if (opener && unfold(opener.dataset.open)) history.replaceState(null, '', `#${opener.dataset.open}`);
  });
  const arrive = () => {
    try {
      if (location.hash.length > 1) unfold(decodeURIComponent(location.hash.slice(1)));
    } catch {
      // an address that was cut off within a letter leads nowhere
    }
  };
  addEventListener('hashchange', arrive);
  arrive();

  // From a disk a browser may not lend its clipboard; then the command is selected, to be copied by key.
  for (const button of document.querySelectorAll('[data-copy]')) {
    const code = document.getElementById(button.dataset.copy);
    const said = button.textContent;
    const done = (text) => {
      button.textContent = text;
      setTimeout(() => { button.textContent = said; }, 2000);
    };
    const select = () => {
      getSelection().selectAllChildren(code);
      done('selected');
    };
    button.hidden = false;
    button.addEventListener('click', () => {
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(() => done('copied'), select);
      else select();
    });
  }
})();
