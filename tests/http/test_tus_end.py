"""tus 1.0.0: uploads expire or are terminated."""
import email.utils
import re
import subprocess
import time

from resumable import WAYBILL, some_bytes


# ---- expiration -----------------------------------------------------------------------------------


def test_answers_tell_when_it_expires(worker):
    """Ten minutes for the first byte, then a day."""
    created = worker.tus_create(10)
    url = created["Location"]
    empty, asked = worker.tus_patch(url, 0, b""), worker.tus("HEAD", url)
    patched = worker.tus_patch(url, 0, b"1")
    for answer, lasts in ((created, 600), (empty, 600), (asked, 600), (patched, 24 * 3600),
                          (worker.tus("HEAD", url), 24 * 3600), (worker.tus_create(10, body=b"1"), 24 * 3600)):
        expires = email.utils.parsedate_to_datetime(answer["Upload-Expires"]).timestamp()
        assert abs(expires - time.time() - lasts) < 300
        assert re.match(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$",
                        answer["Upload-Expires"])


def test_afterwards_it_is_gone(own_worker):
    worker = own_worker(partial_expire_after="1s")
    url = worker.tus_create(10)["Location"]
    end = time.monotonic() + 20
    while (answer := worker.tus("HEAD", url)).status in (200, 204):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.status in (404, 410) and "Upload-Offset" not in answer
    assert worker.tus_patch(url, 0, b"1").status in (404, 410)


def test_never_says_nothing(own_worker):
    worker = own_worker(partial_expire_after="0")
    created = worker.tus_create(10)
    assert "Upload-Expires" in created  # no byte has come yet
    assert "Upload-Expires" not in worker.tus_patch(created["Location"], 0, b"1")
    assert "Upload-Expires" not in worker.tus("HEAD", created["Location"])


def test_gc_takes_what_expired(own_worker):
    worker = own_worker(partial_expire_after="1s")
    ident = worker.tus_create(10, body=b"12345").id
    assert worker.partial_size(ident) >= 5
    end = time.monotonic() + 20
    while worker.partial_size(ident) >= 0:
        assert time.monotonic() < end
        time.sleep(0.2)
        subprocess.run([WAYBILL, "gc", "-c", str(worker.directory / "waybill.conf")], check=True,
                       stdout=subprocess.DEVNULL)
    assert worker.tus("HEAD", f"/upload/{ident}").status in (404, 410)


# ---- termination ----------------------------------------------------------------------------------


def test_termination_frees_everything(worker):
    created = worker.tus_create(10, body=b"12345")
    assert worker.partial_size(created.id) >= 5
    assert worker.tus("DELETE", created["Location"]).status == 204
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
    assert worker.tus_patch(created["Location"], 5, b"67890").status in (404, 410)
    assert worker.tus("DELETE", created["Location"]).status in (404, 410)
    assert worker.partial_size(created.id) == -1


def test_termination_stops_a_request_under_way(direct):
    data = some_bytes(1_000_000)
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data)).send(data[:300_000])
    direct.wait_for_bytes(created.id, 200_000)
    assert direct.tus("DELETE", created["Location"]).status == 204
    answer = going.result()
    assert answer is None or answer.status >= 400
    assert direct.partial_size(created.id) == -1
