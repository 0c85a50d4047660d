from fastapi import HTTPException

from tracker import models


def get_project(db, key):
    project = db.query(models.Project).filter(models.Project.key == key).first()
    if not project:
        raise HTTPException(status_code=404, detail="no project %s" % key)
    return project


def get_issue(db, key):
    name, _, number = key.partition("-")
    if not number.isdigit():
        raise HTTPException(status_code=404, detail="no issue %s" % key)
    issue = (
        db.query(models.Issue)
        .join(models.Project)
        .filter(models.Project.key == name, models.Issue.number == int(number))
        .first()
    )
    if not issue:
        raise HTTPException(status_code=404, detail="no issue %s" % key)
    return issue


def role_in(db, project, user):
    if user.admin:
        return "lead"
    member = (
        db.query(models.Member)
        .filter(models.Member.project_id == project.id, models.Member.user_id == user.id)
        .first()
    )
    return member.role if member else None


def require_role(db, project, user, *roles):
    role = role_in(db, project, user)
    if role is None or (roles and role not in roles):
        raise HTTPException(status_code=403, detail="not in this project")
    return role
