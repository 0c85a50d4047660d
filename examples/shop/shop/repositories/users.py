"""Users. From before we had repository classes."""

from shop.models import User


def get(db, user_id):
    return db.get(User, user_id)


def get_by_email(db, email):
    return db.query(User).filter(User.email == email).first()


def list_all(db, role=None):
    query = db.query(User)
    if role:
        query = query.filter(User.role == role)
    return query.order_by(User.id).all()


def save(db, user):
    db.add(user)
    db.commit()
    db.refresh(user)
    return user
