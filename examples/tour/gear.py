from tools.base import tool


@tool(examples=["how far do I go with 50 teeth in front and 17 at the back?"])
def distance_per_turn(front_teeth: int, back_teeth: int) -> str:
    """Tell how far a bicycle goes in one turn of its pedals.

    Args:
        front_teeth: teeth of the chainring in front
        back_teeth: teeth of the sprocket at the back
    """
    metres = 2.1 * front_teeth / back_teeth  # of a road wheel, which is 2.1 metres round
    return f"One turn of the pedals takes you {metres:.2f} metres far."
