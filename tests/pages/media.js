// What an app's page does with a photograph and a film: uploads, posts, shows.

const sleep = ms => new Promise(done => setTimeout(done, ms));

const happens = (target, event) => new Promise((done, fail) => {
    target.addEventListener(event, done, { once: true });
    target.addEventListener("error", () => fail(target.error ?? new Error(`no ${event}`)), { once: true });
});

// The colours at places given in parts of width and height.
const colours = (picture, width, height, places) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0, width, height);
    return places.map(([x, y]) => [...context.getImageData(x * width, y * height, 1, 1).data].slice(0, 3));
};

// A failed fetch does not say what of.
const ask = async (url, options) => {
    try {
        return await fetch(url, options);
    } catch (error) {
        throw new Error(`${options?.method ?? "GET"} ${url}: ${error}`);
    }
};

export default async ({ api, token, photo, film }) => {
    const call = async (method, path, body) => {
        const headers = { authorization: `Bearer ${token}` };
        if (body) headers["content-type"] = "application/json";
        const answer = await ask(api + path, { method, headers, body: body && JSON.stringify(body) });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
        return { status: answer.status, body: JSON.parse(text) };
    };

    const upload = async ({ file, content_type }) => {
        const bytes = await (await ask(file)).blob();
        const begun = await call("POST", "/media/uploads", { content_type, size: bytes.size });
        const { id, upload: { method, url, headers }, status, expires_at } = begun.body;
        const stored = await ask(url, { method, headers, body: bytes });
        if (!stored.ok) throw new Error(`${method} ${url}: ${stored.status} ${await stored.text()}`);
        const completed = await call("POST", `/media/${id}/complete`);
        let media = completed.body;
        while (media.status === "processing") {
            await sleep(100);
            media = (await call("GET", `/media/${id}`)).body;
        }
        return { begun: { code: begun.status, status, expires_at }, completed: completed.status, media };
    };

    const share = async (content, media) => {
        const { id } = (await call("POST", "/posts", { content, media_ids: [media.id] })).body;
        return (await call("GET", `/posts/${id}`)).body;
    };

    const show = async (url, places) => {
        const image = new Image();
        image.crossOrigin = "anonymous";
        image.src = url;
        await image.decode();
        const { naturalWidth: width, naturalHeight: height } = image;
        return { width, height, colours: colours(image, width, height, places) };
    };

    const play = async url => {
        const video = document.createElement("video");
        Object.assign(video, { crossOrigin: "anonymous", muted: true, preload: "metadata" });
        const shown = happens(video, "loadeddata");
        video.src = url;
        document.body.append(video);
        await shown;
        const { videoWidth: width, videoHeight: height, duration } = video;
        const places = [...Array(64).keys()].map(n => [(n % 8 + 0.5) / 8, (Math.floor(n / 8) + 0.5) / 8]);
        const first = colours(video, width, height, places);
        const sought = happens(video, "seeked");
        video.currentTime = duration / 2;
        await sought;
        const at = video.currentTime;
        const middle = colours(video, width, height, places);
        await video.play();
        while (video.currentTime < at + 0.5) await happens(video, "timeupdate");
        video.pause();
        return { width, height, duration, at, first, middle, played_to: video.currentTime };
    };

    const found = { photo: await upload(photo), film: await upload(film) };
    found.photo.post = await share("The tide, once.", found.photo.media);
    found.film.post = await share("The tide, for six seconds.", found.film.media);
    found.photo.shown = await show(found.photo.post.media[0].url, photo.places);
    found.film.played = await play(found.film.post.media[0].url);
    return found;
};
