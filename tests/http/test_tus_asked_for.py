"""tus 1.0.0: what users of other servers asked for."""
import hashlib
import json
import os
import subprocess
import threading

from resumable import WAYBILL, ServedWorker, b64, some_bytes
from tus import CHUNK, part


def test_a_new_patch_ends_the_one_that_hangs(direct):
    data = some_bytes(1_000_000)
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data)).send(data[:300_000])
    direct.wait_for_bytes(created.id, 250_000)
    offset = direct.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert direct.tus_patch(created["Location"], offset, data[offset:]).status == 204
    answer = going.result()
    assert answer is None or answer.status >= 400
    direct.kept(created.id, data)


def test_also_when_another_process_holds_it(direct):
    data = some_bytes(1_000_000)
    other = direct.start("other")
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data), path_socket=other).send(data[:300_000])
    direct.wait_for_bytes(created.id, 250_000)
    offset = direct.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert direct.tus_patch(created["Location"], offset, data[offset:]).status == 204
    going.drop()
    direct.kept(created.id, data)


def test_also_when_a_plain_cgi_process_holds_it(own_worker):
    worker = own_worker()
    data = some_bytes(1_000_000)
    created = worker.tus_create(len(data))
    environment = {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "PATCH", "REQUEST_URI": created["Location"],
        "SCRIPT_NAME": "", "PATH_INFO": created["Location"], "CONTENT_LENGTH": str(len(data)),
        "CONTENT_TYPE": CHUNK, "HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_OFFSET": "0",
        "WAYBILL_CONFIG": str(worker.directory / "waybill.conf"), "PATH": os.environ["PATH"],
    }
    script = subprocess.Popen([WAYBILL], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    script.stdin.write(data[:300_000])
    script.stdin.flush()
    worker.wait_for_bytes(created.id, 250_000)
    offset = worker.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    script.stdin.close()
    script.wait(20)
    worker.kept(created.id, data)


def test_two_patches_at_once_leave_one_right_file(worker):
    data = some_bytes(4_000_000)
    created = worker.tus_create(len(data))
    answers = []

    def patch():
        answers.append(worker.tus_patch(created["Location"], 0, data))

    threads = [threading.Thread(target=patch) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    # Whoever is made to let go is cut off; lighttpd calls that 503, nginx 502.
    cut_off = {502, 503} if isinstance(worker, ServedWorker) else set()
    assert {answer.status for answer in answers if answer} <= {204, 400, 409, 423} | cut_off
    offset = worker.tus_offset(created["Location"])
    if offset < len(data):
        assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    worker.kept(created.id, data)


def test_a_killed_worker_loses_nothing_acknowledged(own_worker):
    worker = own_worker()
    data = some_bytes(2_500_000)
    created = worker.tus_create(len(data))
    worker.tus_patch(created["Location"], 0, data[:1_200_000])
    worker.kill()
    worker.start()
    assert worker.tus_offset(created["Location"]) == 1_200_000
    going = worker.tus_patch_open(created["Location"], 1_200_000, 1_300_000).send(data[1_200_000:2_000_000])
    worker.wait_for_bytes(created.id, 1_900_000)
    worker.kill()
    going.drop()
    worker.start()
    offset = worker.tus_offset(created["Location"])
    assert 1_200_000 <= offset <= 2_000_000
    assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    worker.kept(created.id, data)


PROGRAM = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\x3e\0\x01\0\0\0" + b"\1" * 100


def test_a_refused_type_ends_the_upload_for_good(worker):
    body = PROGRAM + some_bytes(3 << 20)
    created = worker.tus_create(len(body))
    url = created["Location"]
    assert worker.tus_patch(url, 0, body[:600_000]).status == 204
    answer = worker.tus_patch(url, 600_000, body[600_000:1_200_000])
    assert answer.status == 415 and answer.json["error"] == "type_refused"
    assert answer.json["detected_type"].startswith("application/x-")
    assert worker.tus("HEAD", url).status in (404, 410)
    assert worker.tus_patch(url, 600_000, b"x").status in (404, 410)
    assert worker.partial_size(created.id) == -1


def test_a_small_refused_file_is_refused_at_its_end(worker):
    created = worker.tus_create(len(PROGRAM))
    answer = worker.tus_patch(created["Location"], 0, PROGRAM)
    assert answer.status == 415
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
    assert worker.ask("GET", f"/files/{created.id}").status == 404


def test_declared_lengths_count_against_the_quota(own_worker):
    worker = own_worker(quota_bytes="1M")
    first = worker.tus_create(700_000, body=b"x")
    refused = worker.tus("POST", "/upload", {"Upload-Length": "700000"})
    assert refused.status == 507 and refused.json["error"] == "quota_exceeded"
    assert worker.ask("POST", "/upload?name=x", {"Content-Type": "text/x"}, b"x" * 700_000).status == 507
    worker.kill()
    worker.start()
    assert worker.tus("POST", "/upload", {"Upload-Length": "700000"}).status == 507
    assert worker.tus("DELETE", first["Location"]).status == 204
    assert worker.tus("POST", "/upload", {"Upload-Length": "700000"}).status == 201


def test_a_quota_has_room_for_the_upload_that_it_admitted(own_worker):
    worker = own_worker(quota_bytes="1M")
    data = some_bytes(1 << 20)
    url = worker.tus_create(len(data))["Location"]
    assert worker.tus_patch(url, 0, data[:500_000]).status == 204
    assert worker.tus_patch(url, 500_000, data[500_000:]).status == 204
    worker.kept(url.rsplit("/", 1)[1], data)


def test_the_same_content_twice_is_one_object(worker):
    data = some_bytes(123_456, 77)
    one, two = worker.tus_create(len(data), body=data), worker.tus_create(len(data), body=data)
    assert one.id != two.id
    worker.kept(one.id, data)
    worker.kept(two.id, data)
    name = hashlib.sha256(data).hexdigest()
    assert [found for found in os.listdir(worker.data / "objects") if found == name] == [name]


def test_the_token_to_delete_comes_with_the_last_patch(worker):
    url = worker.tus_create(3)["Location"]
    answer = worker.tus_patch(url, 0, b"abc")
    assert "Waybill-Delete-Token" not in worker.tus("HEAD", url)
    file = answer["Waybill-File"]
    assert worker.ask("DELETE", file).status == 401
    bearer = {"Authorization": "Bearer " + answer["Waybill-Delete-Token"]}
    assert worker.ask("DELETE", file, bearer).status == 204
    assert worker.tus("HEAD", url).status in (404, 410)


def test_the_token_to_delete_comes_with_what_parts_become(worker):
    answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{part(worker, b'abc')} {part(worker, b'def')}"})
    assert worker.ask("DELETE", answer["Waybill-File"]).status == 401
    bearer = {"Authorization": "Bearer " + answer["Waybill-Delete-Token"]}
    assert worker.ask("DELETE", answer["Waybill-File"], bearer).status == 204


def test_unfinished_uploads_from_a_shell(own_worker):
    worker = own_worker()

    def shell(*command):
        done = subprocess.run([WAYBILL, *command, "-c", str(worker.directory / "waybill.conf")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.returncode, done.stdout

    meta = {"Upload-Metadata": "filename " + b64('Größe "1".bin')}
    one, two = worker.tus_create(10, meta, body=b"12345"), worker.tus_create(None, {"Upload-Defer-Length": "1"})
    worker.tus_create(3, body=b"abc")
    status, said = shell("ls", "--partial")
    assert status == 0 and len(said.splitlines()) == 2
    assert any(one.id in line and "Größe" in line for line in said.splitlines())
    status, said = shell("ls", "--partial", "--json")
    uploads = {upload["id"]: upload for upload in json.loads(said)["uploads"]}
    assert set(uploads) == {one.id, two.id}
    assert (uploads[one.id]["offset"], uploads[one.id]["length"]) == (5, 10)
    assert (uploads[one.id]["name"], uploads[one.id]["owner"]) == ('Größe "1".bin', None)
    assert uploads[two.id]["length"] is None
    assert shell("rm", one.id)[0] == 0
    assert worker.tus("HEAD", one["Location"]).status in (404, 410)
    assert worker.partial_size(one.id) == -1
    assert shell("rm", one.id)[0] == 1
    assert shell("ls", "--partial", "--type", "image/*")[0] == 2


def test_a_deleted_file_takes_its_upload_along(own_worker):
    worker = own_worker(delete_access="open")
    created = worker.tus_create(3, body=b"abc")
    assert worker.ask("DELETE", f"/files/{created.id}").status == 204
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
