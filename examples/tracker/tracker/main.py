import csv
import io
import logging
import os
from typing import List, Optional

from fastapi import Depends, FastAPI, File, HTTPException, Response, UploadFile
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session

from tracker import models, schemas
from tracker.auth import get_user
from tracker.db import Base, engine, get_db
from tracker.lookup import get_issue, get_project, require_role
from tracker.notify import notify
from tracker.routers import projects, users

log = logging.getLogger(__name__)

FILES = os.environ.get("TRACKER_FILES", "files")

# what may come behind what
WORKFLOW = {
    "open": ["in progress", "rejected"],
    "in progress": ["open", "review"],
    "review": ["in progress", "done"],
    "done": ["open"],
    "rejected": ["open"],
}

app = FastAPI(title="Tracker", version="0.3.0")
app.include_router(users.router, tags=["users"])
app.include_router(projects.router, tags=["projects"])


@app.on_event("startup")
def startup():
    Base.metadata.create_all(bind=engine)


def issue_key(issue):
    return "%s-%d" % (issue.project.key, issue.number)


def issue_out(issue):
    return schemas.IssueOut(
        key=issue_key(issue),
        title=issue.title,
        text=issue.text,
        status=issue.status,
        priority=issue.priority,
        reporter=issue.reporter.name,
        assignee=issue.assignee.name if issue.assignee else None,
    )


@app.get("/ping")
def ping():
    return "pong"


@app.post("/projects/{key}/issues", response_model=schemas.IssueOut, status_code=201)
def create_issue(
    key: str,
    data: schemas.IssueCreate,
    response: Response,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    project = get_project(db, key)
    require_role(db, project, user, "developer", "lead")
    if project.archived:
        raise HTTPException(status_code=409, detail="project is archived")
    assignee = None
    if data.assignee:
        assignee = db.query(models.User).filter(models.User.name == data.assignee).first()
        if not assignee:
            raise HTTPException(status_code=404, detail="no user %s" % data.assignee)
        member = (
            db.query(models.Member)
            .filter(models.Member.project_id == project.id, models.Member.user_id == assignee.id)
            .first()
        )
        if not member and not assignee.admin:
            raise HTTPException(status_code=400, detail="assignee is not in this project")
        if member and member.role == "viewer":
            raise HTTPException(status_code=400, detail="viewers get no issues")
    last = (
        db.query(models.Issue)
        .filter(models.Issue.project_id == project.id)
        .order_by(models.Issue.number.desc())
        .first()
    )
    issue = models.Issue(
        project_id=project.id,
        number=last.number + 1 if last else 1,
        title=data.title,
        text=data.text,
        priority=data.priority,
        reporter_id=user.id,
        assignee_id=assignee.id if assignee else None,
    )
    db.add(issue)
    db.commit()
    db.refresh(issue)
    notify("%s: %s" % (issue_key(issue), issue.title))
    log.info("issue %s by %s", issue_key(issue), user.name)
    response.headers["Location"] = "/issues/%s" % issue_key(issue)
    return issue_out(issue)


@app.get("/projects/{key}/issues", response_model=List[schemas.IssueOut])
def list_issues(
    key: str,
    status: Optional[str] = None,
    assignee: Optional[str] = None,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    project = get_project(db, key)
    require_role(db, project, user)
    query = db.query(models.Issue).filter(models.Issue.project_id == project.id)
    if status:
        query = query.filter(models.Issue.status == status)
    if assignee:
        query = query.join(models.User, models.Issue.assignee_id == models.User.id)
        query = query.filter(models.User.name == assignee)
    issues = query.order_by(models.Issue.priority, models.Issue.number).all()
    return [issue_out(issue) for issue in issues]


@app.get("/issues/{key}", response_model=schemas.IssueOut)
def read_issue(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    issue = get_issue(db, key)
    require_role(db, issue.project, user)
    return issue_out(issue)


@app.patch("/issues/{key}", response_model=schemas.IssueOut)
def update_issue(
    key: str,
    data: schemas.IssueUpdate,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    issue = get_issue(db, key)
    require_role(db, issue.project, user, "developer", "lead")
    values = data.dict(exclude_unset=True)
    if values.get("status"):
        if values["status"] not in schemas.STATUSES:
            raise HTTPException(status_code=422, detail="no such status")
        if values["status"] != issue.status and values["status"] not in WORKFLOW[issue.status]:
            raise HTTPException(
                status_code=409,
                detail="%s does not come behind %s" % (values["status"], issue.status),
            )
    if "assignee" in values:
        name = values.pop("assignee")
        assignee = None
        if name:
            assignee = db.query(models.User).filter(models.User.name == name).first()
            if not assignee:
                raise HTTPException(status_code=404, detail="no user %s" % name)
        issue.assignee_id = assignee.id if assignee else None
    for name, value in values.items():
        setattr(issue, name, value)
    db.commit()
    db.refresh(issue)
    if values.get("status"):
        notify("%s is %s" % (issue_key(issue), issue.status))
    return issue_out(issue)


@app.post("/issues/bulk")
def bulk_update(
    data: schemas.BulkUpdate,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    if data.status not in schemas.STATUSES:
        raise HTTPException(status_code=422, detail="no such status")
    changed, skipped = [], []
    for key in data.keys:
        issue = get_issue(db, key)
        require_role(db, issue.project, user, "lead")
        if data.status in WORKFLOW[issue.status]:
            issue.status = data.status
            db.commit()
            changed.append(key)
        else:
            skipped.append(key)
    return {"changed": changed, "skipped": skipped}


@app.delete("/issues/{key}", status_code=204)
def delete_issue(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    issue = get_issue(db, key)
    require_role(db, issue.project, user, "lead")
    for comment in issue.comments:
        db.delete(comment)
    db.delete(issue)
    db.commit()


@app.post("/issues/{key}/comments", response_model=schemas.CommentOut, status_code=201)
def create_comment(
    key: str,
    data: schemas.CommentIn,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    issue = get_issue(db, key)
    require_role(db, issue.project, user)
    if not data.text.strip():
        raise HTTPException(status_code=422, detail="a comment says something")
    comment = models.Comment(issue_id=issue.id, author_id=user.id, text=data.text)
    db.add(comment)
    db.commit()
    db.refresh(comment)
    return {"id": comment.id, "author": comment.author.name, "text": comment.text}


@app.get("/issues/{key}/comments", response_model=List[schemas.CommentOut])
def list_comments(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    issue = get_issue(db, key)
    require_role(db, issue.project, user)
    found = []
    for comment in issue.comments:
        found.append({"id": comment.id, "author": comment.author.name, "text": comment.text})
    return found


@app.post("/issues/{key}/time", status_code=201)
def log_time(
    key: str,
    data: schemas.Hours,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    issue = get_issue(db, key)
    require_role(db, issue.project, user, "developer", "lead")
    entry = models.TimeEntry(issue_id=issue.id, user_id=user.id, hours=data.hours)
    db.add(entry)
    db.commit()
    entries = db.query(models.TimeEntry).filter(models.TimeEntry.issue_id == issue.id).all()
    return {"key": key, "hours": sum(each.hours for each in entries)}


@app.post("/issues/{key}/attachments", status_code=201)
async def attach(
    key: str,
    file: UploadFile = File(...),
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    issue = get_issue(db, key)
    require_role(db, issue.project, user, "developer", "lead")
    content = await file.read()
    folder = os.path.join(FILES, key)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, file.filename), "wb") as target:
        target.write(content)
    attachment = models.Attachment(issue_id=issue.id, name=file.filename, size=len(content))
    db.add(attachment)
    db.commit()
    db.refresh(attachment)
    return {"id": attachment.id, "name": attachment.name, "size": attachment.size}


@app.get("/issues/{key}/attachments")
def list_attachments(
    key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)
):
    issue = get_issue(db, key)
    require_role(db, issue.project, user)
    rows = db.query(models.Attachment).filter(models.Attachment.issue_id == issue.id).all()
    return [{"id": row.id, "name": row.name, "size": row.size} for row in rows]


@app.get("/projects/{key}/export", response_class=PlainTextResponse)
def export(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    project = get_project(db, key)
    require_role(db, project, user)
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["key", "title", "status", "priority", "assignee"])
    for issue in project.issues:
        assignee = issue.assignee.name if issue.assignee else ""
        writer.writerow([issue_key(issue), issue.title, issue.status, issue.priority, assignee])
    return target.getvalue()
