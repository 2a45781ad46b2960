// Puts, gets and asks by signed URLs, as an app's page does.
export default async ({ put, get }) => {
    const found = {};
    const asked = async (url, options) => {
        const answer = await fetch(url, options);
        return { status: answer.status, body: await answer.text(), headers: Object.fromEntries(answer.headers) };
    };
    const { url, method, headers } = put;
    found.put = await asked(url, { method, headers, body: new Blob(["0123456789"]) });
    found.longer = await asked(url, { method, headers, body: new Blob(["01234567890"]) });
    found.other = await asked(url, { method, headers: { ...headers, "content-type": "text/html" }, body: "0123456789" });
    found.part = await asked(get, { headers: { range: "bytes=4-6" } });
    found.unasked = await asked(url, { method, headers: { ...headers, "x-unasked": "1" }, body: "0123456789" })
        .catch(error => error.name);
    return found;
};
