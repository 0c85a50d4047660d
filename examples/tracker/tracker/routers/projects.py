from typing import List

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy import text
from sqlalchemy.orm import Session

from tracker import models, schemas
from tracker.auth import get_admin, get_user
from tracker.db import get_db
from tracker.lookup import get_project, require_role

router = APIRouter()


@router.post("/projects", response_model=schemas.ProjectOut, status_code=201)
def create_project(
    data: schemas.ProjectCreate,
    db: Session = Depends(get_db),
    admin: models.User = Depends(get_admin),
):
    if db.query(models.Project).filter(models.Project.key == data.key).first():
        raise HTTPException(status_code=409, detail="key taken")
    project = models.Project(**data.dict())
    db.add(project)
    db.commit()
    db.refresh(project)
    return project


@router.get("/projects", response_model=List[schemas.ProjectOut])
def list_projects(db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    return (
        db.query(models.Project)
        .filter(models.Project.archived == False)  # noqa: E712
        .order_by(models.Project.key)
        .all()
    )


@router.get("/projects/{key}", response_model=schemas.ProjectOut)
def read_project(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    return get_project(db, key)


@router.post("/projects/{key}/archive", response_model=schemas.ProjectOut)
def archive_project(
    key: str, db: Session = Depends(get_db), admin: models.User = Depends(get_admin)
):
    project = get_project(db, key)
    left = (
        db.query(models.Issue)
        .filter(
            models.Issue.project_id == project.id,
            models.Issue.status.notin_(["done", "rejected"]),
        )
        .count()
    )
    if left:
        raise HTTPException(status_code=409, detail="%d issues are not done" % left)
    project.archived = True
    db.commit()
    return project


@router.put("/projects/{key}/members")
def set_member(
    key: str,
    data: schemas.MemberIn,
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    project = get_project(db, key)
    require_role(db, project, user, "lead")
    other = db.query(models.User).filter(models.User.name == data.user).first()
    if not other:
        raise HTTPException(status_code=404, detail="no user %s" % data.user)
    member = (
        db.query(models.Member)
        .filter(models.Member.project_id == project.id, models.Member.user_id == other.id)
        .first()
    )
    if not member:
        member = models.Member(project_id=project.id, user_id=other.id)
        db.add(member)
    member.role = data.role
    db.commit()
    return {"user": other.name, "role": member.role}


@router.get("/projects/{key}/members")
def list_members(key: str, db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    project = get_project(db, key)
    members = (
        db.query(models.Member)
        .filter(models.Member.project_id == project.id)
        .order_by(models.Member.id)
        .all()
    )
    found = []
    for member in members:
        found.append({"user": member.user.name, "role": member.role})
    return found


@router.get("/projects/{key}/report")
def report(
    key: str,
    status: str = "done",
    db: Session = Depends(get_db),
    user: models.User = Depends(get_user),
):
    project = get_project(db, key)
    # TRK-88: the ORM was too slow for this one
    rows = db.execute(
        text(
            f"SELECT priority, count(*) FROM issues WHERE project_id = {project.id} "
            f"AND status = '{status}' GROUP BY priority ORDER BY priority"
        )
    ).fetchall()
    return [{"priority": row[0], "issues": row[1]} for row in rows]
