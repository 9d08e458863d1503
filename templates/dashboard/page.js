// What a page needs beside htmx: times that stay true, a log that follows, streams that rest while nobody looks.
(() => {
  const REST_MS = 60_000;
  const LINES_MAX = 5_000;
  const streams = new Set();
  let cursor = '';
  let follows = false;
  let rests = false;

  const age = (ms) => {
    const seconds = Math.max(0, Math.round(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86_400)} d`;
  };
  const tell = () => {
    for (const one of document.querySelectorAll('time.ago')) {
      const text = age(Date.now() - Date.parse(one.dateTime));
      if (one.textContent !== text) one.textContent = text;
    }
  };
  setInterval(tell, 10_000);

  const lines = () => document.querySelector('#log .lines');
  const toEnd = () => {
    const box = lines();
    if (box) box.scrollTop = box.scrollHeight;
  };
  toEnd();

  // A cursor is two numbers; a stream that begins anew may send again what is there.
  const isLater = (one, other) => {
    if (other === '') return true;
    const [a, b] = [one.split('-').map(Number), other.split('-').map(Number)];
    return a[0] === b[0] ? a[1] > b[1] : a[0] > b[0];
  };

  htmx.createEventSource = (url) => {
    const stream = new EventSource(url);
    streams.add(stream);
    return stream;
  };
  const on = (name, act) => document.addEventListener(name, act);

  on('htmx:sseBeforeMessage', (event) => {
    const { type, lastEventId } = event.detail;
    if (!type.startsWith('line-')) return;
    if (!isLater(lastEventId, cursor)) return event.preventDefault();
    cursor = lastEventId;
    const box = lines();
    follows = box !== null && box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  });
  on('htmx:sseMessage', (event) => {
    tell();
    if (!event.detail.type.startsWith('line-')) return;
    const list = document.getElementById('lines');
    while (list && list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    if (follows) toEnd();
  });

  const away = (is) => {
    const sign = document.getElementById('away');
    if (sign) sign.hidden = !is;
  };
  on('htmx:sseOpen', () => away(false));
  on('htmx:sseError', (event) => {
    if (rests) return;
    away(true);
    // Refused for good: the session ended, or the server is another one now; the page itself says which.
    const { source } = event.detail;
    if (source?.readyState !== EventSource.CLOSED) return;
    streams.delete(source);
    fetch('/healthz').then(
      (answer) => answer.ok && location.reload(),
      () => undefined,
    );
  });
  on('htmx:sseClose', (event) => streams.delete(event.detail.source));
  on('htmx:beforeSwap', (event) => {
    if (event.detail.target?.id === 'live') cursor = '';
    // What is refused says why.
    if (event.detail.xhr.status >= 400 && event.detail.xhr.status !== 401) event.detail.shouldSwap = true;
  });
  on('htmx:afterSwap', (event) => {
    tell();
    if (event.detail.target?.id === 'live') toEnd();
  });
  on('htmx:afterRequest', (event) => event.target.closest?.('[popover]')?.hidePopover());

  // A browser allows one host few connections: a page that nobody looks at gives its own back.
  let timer;
  on('visibilitychange', () => {
    clearTimeout(timer);
    if (!document.hidden) {
      if (rests) location.reload();
      return;
    }
    timer = setTimeout(() => {
      rests = streams.size > 0;
      for (const one of streams) one.close();
      streams.clear();
    }, REST_MS);
  });
})();
