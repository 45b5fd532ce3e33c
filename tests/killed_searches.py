"""A search that is killed again and again, and goes on each time from what it saved."""

from preimage.support import checkpoints


class Killed(BaseException):
    pass


def killed_again_and_again(monkeypatch, search, every, most):
    """Return a search's answer and how often it was killed.

    Args:
        search: called with how it is to report, again after each kill.
        every: reports after which it is killed, `most` times in all.
    """
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHOW_EVERY_SECONDS", 0.0)
    kills, calls = 0, 0

    def report(done, best, **more):
        nonlocal calls
        calls += 1
        if calls % every == 0 and kills < most:
            raise Killed

    while True:
        try:
            return search(report), kills
        except Killed:
            kills += 1
