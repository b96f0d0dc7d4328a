from htdl.store import jobs, resume
from htdl.store.resume import Resume


async def test_resume_data_comes_back_as_it_was_and_is_replaced(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    assert await db.run(resume.get, job.id) is None
    for kept in (Resume(bytes(range(256)), "t1", "boot"), Resume(b"", "t2", None)):
        await db.run(resume.put, job.id, kept)
        assert await db.run(resume.get, job.id) == kept


async def test_a_new_job_brings_its_resume_data_along(db, new_job):
    kept = Resume(b"de", "t", None)
    await db.run(jobs.insert, new_job(1), (), kept)
    assert await db.run(resume.get, new_job(1).id) == kept


async def test_resume_data_of_a_removed_job_is_not_kept(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job, (), Resume(b"de", "t", None))
    await db.run(jobs.delete, job.id)
    await db.run(resume.put, job.id, Resume(b"late", "t", None))
    assert await db.run(resume.get, job.id) is None


async def test_session_state_is_kept_by_key(db):
    assert await db.run(resume.get_session, "dht") is None
    await db.run(resume.put_session, "dht", b"1")
    await db.run(resume.put_session, "dht", b"2\0")
    await db.run(resume.put_session, "other", b"3")
    assert await db.run(resume.get_session, "dht") == b"2\0"
