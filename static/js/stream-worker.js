// One connection per browser. This file runs as a SharedWorker (a classic script); where there is none, stream.js imports it into the
// one tab that leads. It keeps the place in the stream, reconnects, and remembers the last events for tabs that open later.
(() => {
  const silence = 45000; // the server pings every 20 s
  const slowest = 5000; // between two tries
  const remembered = 300;
  const kinds = ["row", "badges", "presence", "toast", "chat", "reset", "bye", "ping"];

  // kefuStream calls tell(message) for everybody; greet answers one tab alone.
  globalThis.kefuStream = (tell) => {
    let source, cursor, guard, timer, tries, downSince, ended;
    let floor; // every event after this place is in events
    const events = []; // {id, name, data}
    const part = (id) => [id.slice(0, id.lastIndexOf(".")), Number(id.slice(id.lastIndexOf(".") + 1))];
    const state = () => ({ type: "state", down: downSince ?? 0 });

    function down() {
      downSince ??= Date.now();
      tell(state());
    }

    function connect() {
      if (ended) return;
      clearTimeout(timer);
      source?.close();
      source = new EventSource("/events?cursor=" + encodeURIComponent(cursor));
      watch();
      source.onopen = () => {
        tries = 0;
        const was = downSince;
        downSince = undefined;
        tell({ type: "state", down: 0, was });
      };
      source.onerror = () => {
        const refused = source.readyState === 2;
        source.close();
        down();
        if (refused) probe();
        later();
      };
      for (const kind of kinds) source.addEventListener(kind, take);
    }

    // probe finds out whether the log-in has ended: a stream does not say why it was refused.
    async function probe() {
      try {
        const answer = await fetch("/me", { redirect: "manual", headers: { "HX-Request": "true" } });
        if (answer.status === 401 || answer.type === "opaqueredirect") end();
      } catch {
        // No network: the next try will tell.
      }
    }

    function later() {
      clearTimeout(timer);
      tries = (tries ?? 0) + 1;
      timer = setTimeout(connect, 200 + Math.random() * Math.min(slowest - 200, 500 * 2 ** tries));
    }

    function watch() {
      clearTimeout(guard);
      guard = setTimeout(() => (down(), connect()), silence);
    }

    function end() {
      ended = true;
      source?.close();
      clearTimeout(timer);
      clearTimeout(guard);
      tell({ type: "event", name: "bye" });
    }

    function take(event) {
      watch();
      if (event.lastEventId) cursor = event.lastEventId;
      if (event.type === "ping") return;
      if (event.type === "bye") return end();
      if (event.type === "reset") (events.length = 0), (floor = part(cursor)[1]);
      const item = { type: "event", id: event.lastEventId, name: event.type, data: event.data };
      events.push(item);
      if (events.length > remembered) floor = part(events.shift().id)[1];
      tell(item);
    }

    return {
      // greet starts the stream with the first tab's place, and brings a later tab from its own place to ours.
      greet(tab, answer) {
        if (ended) return answer({ type: "event", name: "bye" });
        if (cursor === undefined) {
          cursor = tab;
          floor = part(tab)[1];
          return connect();
        }
        answer(state());
        const [epoch, place] = part(tab);
        const [ours, reached] = part(cursor);
        if (epoch !== ours) return answer({ type: "event", name: "reset" });
        if (place >= reached) return;
        if (place < floor) return answer({ type: "event", name: "reset" });
        events.filter((item) => part(item.id)[1] > place).forEach(answer);
      },
      retry() {
        if (downSince !== undefined) connect();
      },
    };
  };

  if (typeof SharedWorkerGlobalScope !== "undefined" && globalThis instanceof SharedWorkerGlobalScope) {
    const ports = new Set();
    const stream = globalThis.kefuStream((message) => ports.forEach((port) => port.postMessage(message)));
    globalThis.onconnect = ({ ports: [port] }) => {
      port.onmessage = ({ data }) => {
        if (data.type === "hello") ports.add(port), stream.greet(data.cursor, (message) => port.postMessage(message));
        else if (data.type === "retry") stream.retry();
        else if (data.type === "leave") ports.delete(port);
      };
    };
  }
})();
