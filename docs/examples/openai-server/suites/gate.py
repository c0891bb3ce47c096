"""What does a listener of a speech server get, streamed and whole?"""

from voxgate import Suite

suite = Suite(
    target="http",
    # The address is VOXGATE_HTTP_URL, or fixed={"url": "http://127.0.0.1:8880"}; the key, if the
    # server wants one, VOXGATE_HTTP_KEY. Name its model and voice if it has several:
    # fixed={"model": "kokoro", "voice": "af_sky"}
    workload="sentences.toml",
    axes={"streamed": [True, False]},
)
