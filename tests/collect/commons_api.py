"""What commons.wikimedia.org answers, from a server on loopback."""

import json
from urllib.parse import parse_qs, urlparse

JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
HTML_AUTHOR = (
    '<a href="//commons.wikimedia.org/wiki/User:A" title="x">A.&nbsp;&amp; B</a><script>1</script>'
)


class CommonsApi:
    """Answers at `server`'s /w/api.php: batches of `batch` files, their descriptions in an answer
    of their own, and trouble where `trouble` has some left.

    `files`: category or search -> its files, as `file` makes them.
    """

    def __init__(self, server):
        self.server, self.batch, self.trouble, self.queries = server, 2, [], []
        self.files = {}
        server.routes["/w/api.php"] = self.answer
        server.routes["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /w/\n")

    def file(self, number, licence, photo, mime="image/jpeg"):
        """The description of a file whose bytes are `photo`."""
        self.server.routes[f"/thumb/{number}.jpg"] = (200, JPEG, photo)
        meta = {
            "Artist": {"value": HTML_AUTHOR, "source": "commons-desc-page"},
            "Credit": {"value": '<span lang="en">Own work</span>'},
        }
        if licence:
            meta["LicenseShortName"] = {"value": licence}
        info = {
            "url": f"{self.server.url}/original/{number}.jpg",
            "thumburl": f"{self.server.url}/thumb/{number}.jpg",
            "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{number:02}.jpg",
            "mime": mime,
            "extmetadata": meta,
        }
        return {"pageid": number, "ns": 6, "title": f"File:{number:02}.jpg", "imageinfo": [info]}

    def answer(self, handler):
        query = {k: v[0] for k, v in parse_qs(urlparse(handler.path).query).items()}
        self.queries.append(query)
        if self.trouble:
            return self.trouble.pop(0)
        assert query["formatversion"] == "2" and query["maxlag"] == "5"
        names = {"categorymembers": "gcmtitle", "search": "gsrsearch"}
        files = self.files.get(query[names[query["generator"]]], [])
        start = int(query.get("gcmcontinue", "file|0").partition("|")[2])
        batch = files[start : start + self.batch]
        answer = {"batchcomplete": True, "query": {"pages": batch[::-1]}}
        if not batch:
            return 200, JSON, b'{"batchcomplete":true}'
        if "iistart" not in query and len(batch) > 1:  # the last one's description comes later
            shown = [*batch[:-1], {k: v for k, v in batch[-1].items() if k != "imageinfo"}]
            token = query.get("gcmcontinue")
            more = {"iistart": "2020", "continue": "||"} | ({"gcmcontinue": token} if token else {})
            answer = {"continue": more, "query": {"pages": shown}}
        elif start + self.batch < len(files):
            token = f"file|{start + self.batch}"
            answer["continue"] = {"gcmcontinue": token, "continue": "gcmcontinue||"}
        return 200, JSON, json.dumps(answer).encode()
