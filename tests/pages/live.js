// What an app's page hears on its socket, and that it can come back.

const heard = (socket, kinds) => new Promise((done, fail) => {
    const messages = [];
    socket.onmessage = event => {
        messages.push(JSON.parse(event.data));
        if (messages.length === kinds) done(messages);
    };
    socket.onclose = event => fail(new Error(`closed: ${event.code}`));
});

const opened = socket => new Promise((done, fail) => {
    socket.onopen = () => done(socket.protocol);
    socket.onerror = () => fail(new Error("not opened"));
});

export default async ({ url, api, token, acts, actor }) => {
    const found = {};
    const socket = new WebSocket(url, ["perch", token]);
    const all = heard(socket, acts.length + 1);
    found.protocol = await opened(socket);
    socket.send(JSON.stringify({ type: "ping" }));
    for (const { path, body } of acts) {
        const headers = { authorization: `Bearer ${actor}`, "content-type": "application/json" };
        const answer = await fetch(api + path, { method: "POST", headers, body: JSON.stringify(body ?? undefined) });
        if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    }
    found.messages = await all;
    const closed = new Promise(done => socket.onclose = event => done(event.code));
    const out = await fetch(`${api}/users/logout`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
    found.out = out.status;
    found.code = await closed;
    const refused = new WebSocket(url, ["perch", token]);
    found.refused = await opened(refused).catch(error => error.message);
    return found;
};
